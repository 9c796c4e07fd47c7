"""Control by gRPC: thin services over facts and orders."""
