"""Gives Python 3.10 and later the names that `collections` had until 3.9, for SDKs written before."""

import collections
import collections.abc

for _name in collections.abc.__all__:
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))
