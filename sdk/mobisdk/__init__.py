"""Pick, train, shrink, ship and measure the smallest vision network that meets a phone's budget."""

__version__ = "0.1.0"
