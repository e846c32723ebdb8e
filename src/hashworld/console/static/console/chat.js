// The chatroom's page. What people say is put into the page as text and never as markup.
const root = document.getElementById("chat");
if (root) start();

function start() {
  const $ = (id) => document.getElementById(`hc-${id}`);
  const me = Number(root.dataset.me);
  const csrf = root.querySelector("[name=csrfmiddlewaretoken]").value;
  const rooms = new Map();
  const kept = read("hashworld.chat", { rooms: [], read: {} });
  const FIRST = 1, LONGEST = 30, AGAIN = new Set([1008, 4403]);
  const EMPTY = { "#ops": "What happens in the cluster is told here: nodes, masters, schedules, quotas." };
  const said = [];
  let socket = null, welcome = null, active = "", tries = 0, refs = 0, hint = -1, recall = 0, up = false, renewal = 0, retry = 0;

  // ---- the connection

  async function connect() {
    clearTimeout(retry);
    show("down", "connecting");
    let ticket;
    try {
      ticket = await newTicket();
    } catch (error) {
      return again(error.message);
    }
    const url = new URL(root.dataset.url || `//${location.hostname}:${root.dataset.port}/ws/`, location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const mine = socket = new WebSocket(url);
    mine.onopen = () => send("hello", { ticket });
    mine.onmessage = (event) => socket === mine && take(JSON.parse(event.data));
    mine.onclose = (event) => socket === mine && closed(event);
  }

  async function newTicket() {
    const answer = await fetch(root.dataset.ticket, { method: "POST", headers: { "X-CSRFToken": csrf }, redirect: "error" });
    if (answer.status === 403) throw new Error("signed out: reload the page");
    if (!answer.ok) throw new Error("the admin does not answer");
    return (await answer.json()).ticket;
  }

  function closed(event) {
    socket = null;
    up = false;
    clearTimeout(renewal);
    for (const item of $("log").querySelectorAll(".hc-pending")) item.dataset.unsure = "1";
    if (AGAIN.has(event.code)) tries += 2;
    again(event.reason || "disconnected");
  }

  function again(reason) {
    const wait = Math.min(LONGEST, FIRST * 2 ** tries++) * (0.5 + Math.random() / 2);
    show("down", `${reason}; again in ${Math.ceil(wait)} s`);
    retry = setTimeout(connect, wait * 1000);
  }

  function send(t, fields) {
    if (!socket || socket.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify({ t, ...fields }));
    return true;
  }

  function show(state, text) {
    $("state").dataset.state = state;
    if ($("state").textContent !== text) $("state").textContent = text;
  }

  addEventListener("online", connect);

  // ---- what the server says

  function take(message) {
    const room = rooms.get(message.room);
    switch (message.t) {
      case "welcome": return welcomed(message);
      case "renewed": return renewIn(message.seconds);
      case "joined": return joined(message);
      case "message": return room && arrived(room, message);
      case "removed": return room && removed(room, message);
      case "presence": return room && presence(room, message);
      case "page": return room && page(room, message);
      case "told": return note(cardOf(message.card));
      case "done": return message.room && open(message.room);
      case "failed": return failed(message);
      case "invited": Object.assign(welcome.names, message.names); return enter(message.room, true);
      case "expelled": return drop(message.room);
      case "bus": return bus(message);
      case "bye": return show("down", "the server restarts");
    }
  }

  function welcomed(message) {
    welcome = message;
    tries = 0;
    renewIn(message.seconds);
    const wanted = ["#lobby", "#ops", ...message.rooms, ...kept.rooms, ...rooms.keys()];
    const asked = decodeURIComponent(location.hash).replace(/^#(?=[+@])/, "");
    if (/^[#+@][a-z0-9:-]+$/.test(asked)) wanted.push(asked);
    for (const name of new Set(wanted)) enter(name);
    if (!active) open(rooms.has(asked) ? asked : "#lobby");
    bus({ up: message.up, epoch: message.epoch });
  }

  function renewIn(seconds) {
    clearTimeout(renewal);
    renewal = setTimeout(async () => {
      try { send("hello", { ticket: await newTicket() }); } catch { renewIn(60); }
    }, Math.max(5, seconds - 120) * 1000);
  }

  function bus(message) {
    const before = up;
    up = message.up;
    show(up ? "up" : "down", up ? "connected" : "the chat's bus is away; nothing can be said until it is back");
    for (const room of rooms.values()) {
      // Of another epoch: what is shown may not be what there is. Else only what failed is tried again.
      if (up && (room.epoch && room.epoch !== message.epoch || !before && !room.joined)) join(room);
    }
  }

  function enter(name, tell) {
    let room = rooms.get(name);
    if (!room) {
      room = { name, items: new Map(), cards: new Map(), present: new Map(), unread: 0, last: "", epoch: "", older: false, joined: false, box: document.createDocumentFragment(), count: 0 };
      rooms.set(name, room);
      if (tell) room.unread++;
    }
    join(room);
    list();
    return room;
  }

  function join(room) {
    const since = room.last ? { since: { epoch: room.epoch, id: room.last } } : {};
    send("join", { room: room.name, ref: `join ${room.name}`, ...since });
  }

  function joined(message) {
    const room = rooms.get(message.room);
    if (!room) return;
    if (!message.recovered) {
      clear(room);
      room.older = Boolean(message.older);
    }
    room.joined = true;
    room.epoch = message.epoch;
    const fresh = message.recovered ? "" : kept.read[room.name] || "";
    for (const entry of message.messages) take({ ...entry, quiet: !message.recovered && !after(entry.id, fresh || entry.id) });
    room.last = message.last;
    room.present = new Map((message.present).map((person) => [person.id, person.name]));
    room.count = message.count;
    if (room.name === active) { people(); bottom(); }
    remember();
    list();
  }

  function arrived(room, message) {
    if (room.items.has(message.id)) return;
    if (after(message.id, room.last)) room.last = message.id;
    if (message.ref) document.getElementById(`ref-${message.ref}`)?.remove();
    const key = message.card?.key;
    const old = key && room.cards.get(key);
    if (old?.isConnected || old?.parentNode) {
      old.querySelector(".hc-card").replaceWith(cardOf(message.card));
      room.items.set(message.id, old);
    } else {
      const item = itemOf(room, message);
      room.items.set(message.id, item);
      if (key) room.cards.set(key, item);
      const low = atBottom();
      into(room).append(item);
      dated(item);
      if (room.name === active && low) bottom();
    }
    if (message.quiet) return;
    const seen = room.name === active && !document.hidden;
    if (seen) {
      read_(room);
      $("live").textContent = `${message.person.name}: ${message.text || ""} ${message.card?.title || ""}`;
    } else if (message.person.id !== me && !old) {
      if (!room.unread) mark_(room, room.items.get(message.id));
      room.unread++;
      list();
    }
  }

  // Where somebody who comes back begins to read.
  function mark_(room, item) {
    into(room).querySelector?.(".hc-new")?.classList.remove("hc-new");
    item.classList.add("hc-new");
  }

  function removed(room, message) {
    if (after(message.id, room.last)) room.last = message.id;
    const item = room.items.get(message.message);
    if (!item) return;
    item.replaceChildren(element("time", clock(message.at)), element("span", `removed by ${message.by}`, "hc-note"));
    room.items.delete(message.message);
  }

  function presence(room, message) {
    for (const person of message.came) room.present.set(person.id, person.name);
    for (const id of message.went) room.present.delete(id);
    room.count = message.count;
    if (room.name === active) people();
  }

  function page(room, message) {
    if (message.ref.startsWith("find")) return found(message);
    room.asking = false;
    room.older = Boolean(message.older);
    const log = into(room), height = log.scrollHeight, top = log.scrollTop;
    const items = [];
    for (const entry of message.messages) {
      if (entry.t !== "message" || room.items.has(entry.id)) continue;
      const key = entry.card?.key;
      if (key && room.cards.has(key)) continue;
      const item = itemOf(room, entry);
      room.items.set(entry.id, item);
      items.push(item);
    }
    if (message.messages.length) room.first = message.messages[0].id;
    log.prepend(...items);
    [...items, room.items.values().next().value].forEach((item) => item && dated(item));
    if (room.name === active) log.scrollTop = top + log.scrollHeight - height;
  }

  function found(message) {
    unfind();
    const close = element("button", "Close", "hc-close");
    close.type = "button";
    close.onclick = unfind;
    const head = element("li", `${message.messages.length}${message.older ? "+" : ""} found `, "hc-note hc-found");
    head.append(close);
    $("log").append(head);
    for (const entry of message.messages) {
      if (entry.t !== "message") continue;
      const item = itemOf(rooms.get(message.room), entry, true);
      item.classList.add("hc-found");
      $("log").append(item);
      dated(item);
    }
    $("log").scrollTop = head.offsetTop - $("log").offsetTop;
    $("live").textContent = head.firstChild.textContent;
  }

  function unfind() {
    for (const item of $("log").querySelectorAll(".hc-found")) item.remove();
  }

  function failed(message) {
    const [what, name] = message.ref.split(" ");
    if (what === "join") {
      const room = rooms.get(name);
      if (!room) return;
      room.joined = false;
      if (message.code === "unavailable") return setTimeout(() => rooms.has(name) && !room.joined && join(room), 5000);
      if (message.code === "not_found" && name.startsWith("+") && confirm(`There is no room ${name} for you. Make it?`)) send("create", { room: name, ref: "" });
      drop(name);
    }
    const pending = document.getElementById(`ref-${message.ref}`);
    if (pending && !$("text").value) $("text").value = pending.dataset.text;
    pending?.remove();
    note(element("span", message.text, "hc-error"));
    $("live").textContent = message.text;
  }

  // ---- what is shown

  function element(tag, text, name) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  function clock(at) {
    return new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  }

  function itemOf(room, message, copy) {
    const item = document.createElement("li");
    item.dataset.on = new Date(message.at * 1000).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    const time = element("time", clock(message.at));
    time.dateTime = new Date(message.at * 1000).toISOString();
    time.title = new Date(message.at * 1000).toLocaleString();
    const body = document.createElement("div");
    body.append(element("b", message.person.name), " ", textOf(message.text || ""));
    if (message.card) body.append(cardOf(message.card));
    item.append(time, body);
    if (welcome.moderator && !copy) {
      const act = element("button", "\u2715", "hc-act");
      act.type = "button";
      act.title = "Remove";
      act.setAttribute("aria-label", `Remove this message of ${message.person.name}`);
      act.onclick = () => confirm("Remove this message for everybody?") && send("remove", { room: room.name, id: message.id, ref: "" });
      item.append(act);
    }
    return item;
  }

  // The first message of a day has the day above it.
  function dated(item) {
    let before = item.previousElementSibling;
    while (before && !before.dataset.on) before = before.previousElementSibling;
    const same = before?.dataset.on === item.dataset.on && before.classList.contains("hc-found") === item.classList.contains("hc-found");
    if (same) delete item.dataset.day; else item.dataset.day = item.dataset.on;
  }

  function textOf(text) {
    const shown = element("span", undefined, "hc-text");
    for (const part of text.split(/(https?:\/\/[^\s<>"']+)/)) {
      if (/^https?:\/\//.test(part)) {
        const link = element("a", part);
        link.href = part;
        link.rel = "noopener noreferrer nofollow";
        link.target = "_blank";
        shown.append(link);
      } else shown.append(part);
    }
    return shown;
  }

  function cardOf(card) {
    const shown = element("div", undefined, "hc-card");
    shown.dataset.tone = card.tone || "info";
    const title = element("b");
    if (card.link?.startsWith("/admin/")) {
      const link = element("a", card.title);
      link.href = card.link;
      title.append(link);
    } else title.textContent = card.title;
    const lines = document.createElement("dl");
    for (const line of card.lines || []) lines.append(element("dt", line.label), element("dd", line.value));
    shown.append(title, lines);
    if (card.percent !== undefined && card.percent !== null) {
      const bar = document.createElement("progress");
      bar.max = 100;
      bar.value = card.percent;
      bar.setAttribute("aria-label", "done");
      shown.append(bar);
    }
    return shown;
  }

  function note(content) {
    const item = element("li", undefined, "hc-note");
    item.append(content);
    $("log").append(item);
    bottom();
  }

  function into(room) {
    return room.name === active ? $("log") : room.box;
  }

  function clear(room) {
    into(room).replaceChildren();
    room.items.clear();
    room.cards.clear();
    room.last = room.first = "";
  }

  function atBottom() {
    const log = $("log");
    return log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  }

  function bottom() {
    $("log").scrollTop = $("log").scrollHeight;
  }

  function after(one, other) {
    if (!other) return true;
    const [a, b] = one.split("-").map(Number), [c, d] = other.split("-").map(Number);
    return a > c || a === c && b > d;
  }

  function titled(name) {
    if (name[0] !== "@") return name;
    return name.slice(1).split(":").filter((id) => Number(id) !== me).map((id) => welcome?.names[id] || `person ${id}`).join();
  }

  function list() {
    let unread = 0;
    $("rooms").replaceChildren(...[...rooms.values()].map((room) => {
      const item = document.createElement("li"), button = element("button");
      button.type = "button";
      button.append(element("span", titled(room.name)));
      if (room.unread) {
        const badge = element("span", room.unread > 99 ? "99+" : String(room.unread), "hc-unread");
        badge.setAttribute("aria-label", `${room.unread} unread`);
        button.append(badge);
        unread += room.unread;
      }
      button.setAttribute("aria-current", String(room.name === active));
      button.onclick = () => open(room.name);
      item.append(button);
      return item;
    }));
    $("menu").textContent = unread ? `Rooms (${unread})` : "Rooms";
    document.title = `${unread ? `(${unread}) ` : ""}${titled(active)} | HashWorld`;
  }

  function people() {
    const room = rooms.get(active);
    $("count").textContent = room ? String(room.count) : "";
    $("people").replaceChildren(...[...(room?.present || [])].map(([id, name]) => {
      const item = document.createElement("li"), talk = element("button", id === me ? `${name} (you)` : name);
      talk.type = "button";
      talk.disabled = id === me;
      talk.title = id === me ? "You" : `Talk to ${name}`;
      talk.onclick = () => send("direct", { person: id, ref: "" });
      item.append(talk);
      if (welcome.moderator && id !== me) {
        const mute = element("button", "Mute", "hc-act");
        mute.type = "button";
        mute.onclick = () => confirm(`Mute ${name} for ten minutes?`) && send("mute", { person: id, seconds: 600, ref: "" });
        item.append(mute);
      }
      return item;
    }));
  }

  function open(name) {
    const next = rooms.get(name) || enter(name), before = rooms.get(active);
    if (before) before.box.append(...$("log").childNodes);
    active = name;
    $("log").replaceChildren(next.box);
    next.unread = 0;
    read_(next);
    $("title").textContent = titled(name);
    $("log").dataset.empty = EMPTY[name] || "Nothing has been said here yet. /help lists what can be typed.";
    history.replaceState(null, "", name[0] === "#" ? name : `#${name}`);
    root.classList.remove("hc-menu");
    people();
    list();
    bottom();
    $("text").focus();
  }

  function drop(name) {
    rooms.delete(name);
    remember();
    if (active === name) { $("log").replaceChildren(); active = ""; open("#lobby"); } else list();
  }

  function read_(room) {
    if (!room.last) return;
    kept.read[room.name] = room.last;
    remember();
  }

  function remember() {
    kept.rooms = [...rooms.keys()].filter((name) => name[0] === "#");
    localStorage.setItem("hashworld.chat", JSON.stringify(kept));
  }

  function read(name, otherwise) {
    try { return { ...otherwise, ...JSON.parse(localStorage.getItem(name)) }; } catch { return otherwise; }
  }

  document.addEventListener("visibilitychange", () => {
    const room = rooms.get(active);
    if (!document.hidden && room) { room.unread = 0; read_(room); list(); }
  });

  $("log").addEventListener("scroll", () => {
    const room = rooms.get(active);
    if (!room?.older || room.asking || $("log").scrollTop > 60) return;
    const first = room.first || [...room.items.keys()].reduce((a, b) => (after(a, b) ? b : a), room.last);
    room.asking = send("history", { room: room.name, before: first, ref: "" });
  });

  // ---- what people do

  $("say").addEventListener("submit", (event) => { event.preventDefault(); say(); });

  function say() {
    const text = $("text").value.trim(), room = rooms.get(active);
    if (!text || !room) return;
    if (!up || !room.joined) return note(element("span", "Not said: you are not connected. It is kept below.", "hc-error"));
    if (text.length > welcome.text) return note(element("span", `At most ${welcome.text} characters.`, "hc-error"));
    const ref = `say${Date.now()}-${++refs}`;
    const item = element("li", undefined, "hc-pending");
    item.id = `ref-${ref}`;
    item.dataset.text = text;
    item.append(element("time", "…"), element("span", text, "hc-text"));
    if (!send("say", { room: active, text, ref })) return;
    said.push(text);
    recall = said.length;
    $("text").value = "";
    grow();
    if (text.split(/\s/)[0] !== "/help") $("log").append(item);
    bottom();
  }

  $("text").addEventListener("keydown", (event) => {
    const open_ = !$("hints").hidden;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (open_ && hint >= 0) complete(hint); else say();
    } else if (event.key === "Tab" && open_) {
      event.preventDefault();
      complete(Math.max(hint, 0));
    } else if (event.key === "Escape") {
      $("hints").hidden = true;
    } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      const names = [...rooms.keys()];
      open(names[(names.indexOf(active) + (event.key === "ArrowUp" ? -1 : 1) + names.length) % names.length]);
    } else if (open_ && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      const all = $("hints").children.length;
      hint = (hint + (event.key === "ArrowUp" ? -1 : 1) + all) % all;
      mark();
    } else if (event.key === "ArrowUp" && !$("text").value && recall > 0) {
      event.preventDefault();
      $("text").value = said[--recall];
    }
  });

  $("text").addEventListener("input", () => { grow(); hints(); });

  function grow() {
    $("text").style.height = "auto";
    $("text").style.height = `${$("text").scrollHeight + 2}px`;
    if (!$("text").value) $("hints").hidden = true;
  }

  function hints() {
    const typed = /^\/(\S*)$/.exec($("text").value);
    const fitting = typed ? (welcome?.commands || []).filter((command) => command.name.startsWith(typed[1])) : [];
    hint = -1;
    $("hints").hidden = !fitting.length;
    $("hints").replaceChildren(...fitting.map((command, index) => {
      const item = element("li", command.usage);
      item.append(element("small", command.help));
      item.setAttribute("role", "option");
      item.id = `hc-hint-${index}`;
      item.dataset.name = command.name;
      item.onmousedown = (event) => { event.preventDefault(); complete(index); };
      return item;
    }));
    mark();
  }

  function mark() {
    [...$("hints").children].forEach((item, index) => item.setAttribute("aria-selected", String(index === hint)));
    $("text").setAttribute("aria-activedescendant", hint >= 0 ? `hc-hint-${hint}` : "");
  }

  function complete(index) {
    $("text").value = `/${$("hints").children[index].dataset.name} `;
    $("hints").hidden = true;
    $("text").focus();
  }

  $("open").addEventListener("submit", (event) => {
    event.preventDefault();
    const name = $("room").value.trim().toLowerCase();
    if (!name) return;
    $("room").value = "";
    open(/^[#+@]/.test(name) ? name : `#${name}`);
  });

  $("find").addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("words").value.length > 1) send("search", { room: active, text: $("words").value, ref: "find" });
  });

  $("menu").addEventListener("click", () => {
    $("menu").setAttribute("aria-expanded", String(root.classList.toggle("hc-menu")));
  });

  connect();
}
