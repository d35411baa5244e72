"""Files of linear and quadratic programs: MPS, QPS and LP, read into their contents and written from them."""

__all__ = []
