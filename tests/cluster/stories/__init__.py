"""What is done on the cluster, in this order: the rotation of a token takes the kubelet eight minutes, and the rest is done
meanwhile."""

from stories import admission, examples, node, token, trouble

STORIES = [
    ("token", token.story),
    ("renders", examples.renders),
    ("admission", admission.story),
    ("examples", examples.story),
    ("node", node.story),
    ("trouble", trouble.story),
    ("rotation", node.rotation),
]
