"""The interface of control: definitions, and the Python that is generated of them."""
