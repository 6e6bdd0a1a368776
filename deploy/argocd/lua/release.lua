if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["windlass.dev/hold"] = nil
  -- An empty table comes back to Argo CD as a list, for which it puts what was there before: the hold.
  if next(obj.metadata.annotations) == nil then
    obj.metadata.annotations = nil
  end
end
return obj
