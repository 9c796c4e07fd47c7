"""Where the time, the memory and the waiting of the process go: samples of its stacks, and their views."""
