-- Windlass looks at once, as at any change of an annotation.
local os = require("os")
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["windlass.dev/reconcile-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
