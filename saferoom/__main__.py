"""How is `python -m saferoom` run? As the command `saferoom`."""

from saferoom.cli.main import run

if __name__ == "__main__":
    run()
