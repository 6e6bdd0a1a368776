-- Nothing new starts; what runs is followed. An annotation that is not in Git, so self-heal leaves it.
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["windlass.dev/hold"] = "held in Argo CD"
return obj
