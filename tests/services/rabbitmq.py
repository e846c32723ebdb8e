"""A private RabbitMQ, and the Erlang port mapper it needs."""

import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

import amqp

from tests.services.service import Service, ServiceError, find_binary, free_port

# The script behind Debian's wrapper: the wrapper insists on the system's rabbitmq account and HOME.
DEBIAN_SCRIPT = "/usr/lib/rabbitmq/bin/rabbitmq-server"

#: How often `rabbitmqctl` is asked that says it cannot reach its node.
CONTROL_TRIES = 5

CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = hashworld
default_pass = {password}
default_vhost = hashworld
log.file = rabbit.log
"""


class PortMapper(Service):
    """epmd, where an Erlang node says on which port it speaks to other nodes."""

    name = "epmd"
    binaries = ("epmd",)

    @property
    def url(self) -> str:
        return f"epmd://127.0.0.1:{self.port}"

    def is_up(self) -> bool:
        with socket.socket() as client:
            client.settimeout(2)
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def prepare(self) -> None:
        """Nothing: epmd keeps no files."""

    def command(self) -> list[str]:
        # Foreground, and ours: one that Erlang starts by itself would outlive the node.
        return [str(find_binary("epmd")), "-port", str(self.port), "-address", "127.0.0.1"]


class RabbitMQ(Service):
    """A RabbitMQ node with one virtual host and one user, both named hashworld, and no plugins."""

    name = "rabbitmq"
    binaries = ("rabbitmq-server", "erl", "epmd")

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.port_mapper = PortMapper(self.folder)

    @property
    def url(self) -> str:
        return f"amqp://hashworld:{self.password}@127.0.0.1:{self.port}/hashworld"

    def is_up(self) -> bool:
        connection = amqp.Connection(
            f"127.0.0.1:{self.port}",
            userid="hashworld",
            password=self.password,
            virtual_host="hashworld",
            connect_timeout=2,
            read_timeout=2,
        )
        try:
            connection.connect()
            connection.close()
        except (OSError, amqp.AMQPError):
            return False
        return True

    def start(self, timeout: float = 180.0) -> None:
        self.port_mapper.start()
        super().start(timeout)

    def stop(self, timeout: float = 60.0) -> None:
        super().stop(timeout)
        self.port_mapper.stop()

    def prepare(self) -> None:
        configuration = CONFIGURATION.format(port=self.port, password=self.password)
        (self.folder / "rabbitmq.conf").write_text(configuration)
        (self.folder / "enabled_plugins").write_text("[].\n")

    def command(self) -> list[str]:
        if Path(DEBIAN_SCRIPT).exists():
            return [DEBIAN_SCRIPT]
        return [str(find_binary("rabbitmq-server"))]

    def control(self, *arguments: str) -> str:
        """What `rabbitmqctl` answers; raises ServiceError when it refuses.

        On a busy machine it does not always reach the node at once: it is asked again then.
        """
        beside = Path(DEBIAN_SCRIPT).with_name("rabbitmqctl")
        program = str(beside) if beside.exists() else str(find_binary("rabbitmqctl"))
        environment = {**os.environ, **self.environment()}
        for _ in range(CONTROL_TRIES):
            done = subprocess.run(
                [program, "-q", "-n", environment["RABBITMQ_NODENAME"], *arguments],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode != os.EX_UNAVAILABLE:
                break
        if done.returncode:
            raise ServiceError(f"rabbitmqctl {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def environment(self) -> Mapping[str, str]:
        folder = str(self.folder)
        return {
            "HOME": folder,  # where Erlang keeps its cookie
            "ERL_EPMD_PORT": str(self.port_mapper.port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP": os.devnull,
            "RABBITMQ_NODENAME": "hashworld@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
        }
