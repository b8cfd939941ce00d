"""Run one Lambda function's handler with AWS's own runtime client.

Started by the ``bootstrap`` script of every function's zip; its argument is the handler's name.
"""

from __future__ import annotations

import sys

from awslambdaric.__main__ import main

if __name__ == "__main__":
    main(["awslambdaric", sys.argv[1]])
