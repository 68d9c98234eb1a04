"""The words of the command line, by what they are about. They import nothing but what argparse needs."""
