"""Control gRPC: a thin service over hub and upstream."""
