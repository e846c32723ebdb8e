"""What must happen in Redis in one step, as Lua."""

#: KEYS: epoch. ARGV: the server's run id, a new epoch. A server that was started anew may have
#: lost what its file had not got yet, so every start of it begins an epoch.
EPOCH = """
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'run', ARGV[1], 'epoch', ARGV[2])
end
return redis.call('HGET', KEYS[1], 'epoch')
"""

#: KEYS: stream, muted, members. ARGV: data, most entries, seconds kept, person, private.
PUBLISH = """
if ARGV[4] ~= '0' then
  if redis.call('EXISTS', KEYS[2]) == 1 then return redis.error_reply('MUTED') end
  if ARGV[5] == '1' and redis.call('SISMEMBER', KEYS[3], ARGV[4]) == 0 then
    return redis.error_reply('STRANGER')
  end
end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'd', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return id
"""

#: KEYS: stream. ARGV: entry, data.
REMOVE = """
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return redis.error_reply('MISSING') end
return redis.call('XADD', KEYS[1], '*', 'd', ARGV[2])
"""

#: KEYS: stream. ARGV: since, or nothing; most missed; page.
#: Gives whether nothing after `since` was dropped, what was missed, the tail, the last id.
RECOVER = """
local tail = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[3] + 1)
local last, added = '0-0', 0
if redis.call('EXISTS', KEYS[1]) == 1 then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
    if info[i] == 'entries-added' then added = info[i + 1] end
  end
end
if ARGV[1] == '' then return {0, {}, tail, last} end
local missed = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2] + 1)
local upto = redis.call('XRANGE', KEYS[1], '-', ARGV[1], 'COUNT', 1)
local whole = 0
if #upto > 0 or last == ARGV[1] then whole = 1 end
if ARGV[1] == '0-0' and added == redis.call('XLEN', KEYS[1]) then whole = 1 end
if #missed > tonumber(ARGV[2]) then whole = 0 end
return {whole, missed, tail, last}
"""

#: KEYS: present. ARGV: seconds, then members. Gives how many were not there before.
APPEAR = """
local now = redis.call('TIME')
local until_ = now[1] + now[2] / 1000000 + ARGV[1]
local new = 0
for i = 2, #ARGV do new = new + redis.call('ZADD', KEYS[1], until_, ARGV[i]) end
redis.call('EXPIRE', KEYS[1], 3600)
return new
"""

#: KEYS: present. Gives those whose time is not over; the others are taken out.
PRESENT = """
local now = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now[1] + now[2] / 1000000)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""

#: KEYS: members, rooms of the person. ARGV: person, room.
CREATE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('SADD', KEYS[2], ARGV[2])
return 1
"""

#: KEYS: fed, then a stream for each entry. ARGV: source, most entries, seconds kept, then entries.
#: Sources are compared as ids of streams: two whole numbers.
FEED = """
local function split(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end
local old = redis.call('GET', KEYS[1])
if old then
  local om, os = split(old)
  local nm, ns = split(ARGV[1])
  if nm < om or (nm == om and ns <= os) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1])
for i = 2, #KEYS do
  redis.call('XADD', KEYS[i], 'MAXLEN', '~', ARGV[2], '*', 'd', ARGV[i + 2])
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
return 1
"""

ALL = (
    ("EPOCH", EPOCH),
    ("PUBLISH", PUBLISH),
    ("REMOVE", REMOVE),
    ("RECOVER", RECOVER),
    ("APPEAR", APPEAR),
    ("PRESENT", PRESENT),
    ("CREATE", CREATE),
    ("FEED", FEED),
)
