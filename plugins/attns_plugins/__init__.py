"""What ships with AttNS, registered through the same hooks as anyone's plugin."""
