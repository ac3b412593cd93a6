"""``python -m ibfloor`` is the command ``ibfloor``."""

from ibfloor.cli import main

main()
