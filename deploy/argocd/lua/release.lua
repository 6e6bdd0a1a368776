if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["windlass.dev/hold"] = nil
end
return obj
