"""What is done on the cluster, in this order."""

from stories import admission, token

STORIES = [
    ("token", token.story),
    ("admission", admission.story),
]
