{{/* The name of everything: the release's, which `helm install windlass` makes the plain one. */}}
{{- define "windlass.name" -}}
{{- if contains "windlass" .Release.Name -}}
{{ .Release.Name }}
{{- else -}}
{{ .Release.Name }}-windlass
{{- end -}}
{{- end }}

{{/* Labels that select the pods. They can never change: a Deployment's selector is immutable. */}}
{{- define "windlass.selector" -}}
app.kubernetes.io/name: windlass
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "windlass.labels" -}}
{{ include "windlass.selector" . }}
{{- end }}

{{- define "windlass.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "windlass.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "windlass.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Whether the admission policies are made: an install for some namespaces would otherwise shut out the operator of the next one. */}}
{{- define "windlass.policies" -}}
{{- if and .Values.policies.enabled (or (not .Values.watch.namespaces) .Values.policies.operators) -}}
true
{{- end -}}
{{- end }}

{{/* All kinds but receipts. */}}
{{- define "windlass.kinds" -}}
[connections, clusterupgradebatches, applianceupdates, firmwareupgrades, inventories]
{{- end }}

{{/* What the operator does with resources, wherever it serves them. It writes no spec, no label and no annotation of anybody's. */}}
{{- define "windlass.operatorRules" -}}
- apiGroups: [windlass.dev]
  resources: {{ include "windlass.kinds" . }}
  verbs: [get, list, watch]
- apiGroups: [windlass.dev]
  resources: [connections/status, clusterupgradebatches/status, applianceupdates/status, firmwareupgrades/status, inventories/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
