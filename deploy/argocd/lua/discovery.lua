local annotations = obj.metadata.annotations or {}
local held = annotations["windlass.dev/hold"] ~= nil
return {
  ["hold"] = {["disabled"] = held},
  ["release"] = {["disabled"] = not held},
  ["reconcile"] = {["disabled"] = false},
}
