-- Healthy also while the upgrade waits for a time or for a person: for parents of Applications and for RollingSync, which step on health.
local hs, s = {status = "Progressing", message = "not yet seen by Windlass"}, obj.status
if s == nil or s.observedGeneration ~= obj.metadata.generation then
  return hs
end
hs.message = s.message or ""
for i, c in ipairs(s.conditions or {}) do
  if c.type == "Stalled" and c.status == "True" then
    hs.status = "Degraded"
    hs.message = s.message or c.message or ""
    return hs
  end
  if c.type == "Ready" then
    hs.message = s.message or c.message or ""
    if c.status == "True" then
      hs.status = "Healthy"
      return hs
    end
  end
end
-- It waits for a time or for a person: handed over, and the message says until when.
local timed = {WaitingForWindow = true, NotBefore = true, Frozen = true, Suspended = true, Held = true}
if s.state == "PENDING" and timed[s.waitingFor] then
  hs.status = "Healthy"
end
return hs
