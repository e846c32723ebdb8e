#!/usr/bin/env python
"""HashWorld's command line: `manage.py help` lists the commands."""

from hashworld.__main__ import main

if __name__ == "__main__":
    main()
