"""``python -m kb``: the ``kb`` command, also where no script of that name is on the path."""

from kb.cli import main

if __name__ == "__main__":
    main()
