"""What is done on the cluster, in this order."""

from stories import token

STORIES = [
    ("token", token.story),
]
