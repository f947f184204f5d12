"""`python -m clave COMMAND …` is `clave COMMAND …`."""

from clave.cli.beginning import main

if __name__ == "__main__":
    main()
