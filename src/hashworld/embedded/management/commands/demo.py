"""`manage.py demo`: a few thousand pages of a site of its own, fetched and checked."""

import shutil
import signal
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from hashworld.embedded import demo, roles, verdict, welcome
from hashworld.embedded.output import PrefixedOutput
from hashworld.embedded.pages import HOSTS, mix
from hashworld.embedded.preparation import prepare
from hashworld.embedded.supervisor import Child, Supervisor
from hashworld.tasks import content, display, lines, progress, report
from hashworld.tasks.errors import InvalidInput
from hashworld.tasks.models import Content, Job
from hashworld.tasks.outcomes import outcomes
from hashworld.tasks.spec import JobSpec
from hashworld.tasks.submit import submit

LOG = "demo.log"
#: Seconds in which everything must be up, and then in which the site's pages must be fetched.
START_LIMIT = 30.0
FETCH_LIMIT = 90.0
SHOWN_LOG_LINES = 25
INTERRUPTED = 130
#: Short, so that pages which hang or never end are given up within seconds.
SITE_OPTIONS = JobSpec(
    name="demo",
    max_attempts=3,
    retry_base=0.5,
    retry_cap=2.0,
    limits={"first_byte_timeout": 3.0, "total_timeout": 10.0, "max_body": 1024 * 1024},
)
FILE_OPTIONS = JobSpec(name="demo", max_attempts=2, limits={"total_timeout": 20.0})
