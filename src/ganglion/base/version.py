"""The version of Ganglion."""

VERSION = "0.1.0"
