-- A new value has Windlass look at once: probe a Connection, fill an Inventory, look at what an upgrade waits for or runs on. It starts nothing,
-- an upgrade that is over stays over, and where a vendor counts calls or asks for pauses, the look waits for that.
local os = require("os")
obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["windlass.dev/reconcile-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
