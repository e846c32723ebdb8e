"""Private MariaDB, RabbitMQ and Redis for the tests of the cluster footing.

Each lives in a folder on a port of its own at 127.0.0.1, beside whatever this machine runs already.
`python -m tests.services run -- COMMAND` starts all of them, runs the command and cleans up.
"""

from tests.services.cluster import Cluster
from tests.services.mariadb import MariaDB
from tests.services.rabbitmq import RabbitMQ
from tests.services.redis import Redis
from tests.services.service import Service, ServiceError

__all__ = ["Cluster", "MariaDB", "RabbitMQ", "Redis", "Service", "ServiceError"]
