"""``python -m attns_harness`` is ``attns``."""

from attns_harness.cli import main

if __name__ == "__main__":
    main()
