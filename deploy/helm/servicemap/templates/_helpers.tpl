{{- define "servicemap.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, so that every ending fits into 63. */}}
{{- define "servicemap.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "servicemap.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "servicemap.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "servicemap.selector" -}}
app.kubernetes.io/name: {{ include "servicemap.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "servicemap.labels" -}}
{{ include "servicemap.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "servicemap.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "servicemap.isAgents" -}}
{{- if eq .Values.mode "agents" }}true{{ end -}}
{{- end -}}

{{/* What the DaemonSet's pods are: it is in names, labels and the file of pipelines. */}}
{{- define "servicemap.nodeComponent" -}}
{{- if include "servicemap.isAgents" . }}agent{{ else }}all-in-one{{ end -}}
{{- end -}}

{{/* Account of whoever owns the map. */}}
{{- define "servicemap.account" -}}
{{- .Values.serviceAccount.name | default (include "servicemap.fullname" .) -}}
{{- end -}}

{{- define "servicemap.nodeAccount" -}}
{{- include "servicemap.account" . }}{{ if include "servicemap.isAgents" . }}-agent{{ end -}}
{{- end -}}

{{/* The pod's own address and this port, as programs listen on it. */}}
{{- define "servicemap.listen" -}}
{{- if .root.Values.prometheus.ipv6 }}[${env:POD_IP}]:{{ .port }}{{ else }}${env:POD_IP}:{{ .port }}{{ end -}}
{{- end -}}

{{- define "servicemap.scrapeAnnotations" -}}
{{- if and .Values.prometheus.enabled .Values.prometheus.scrapeAnnotations }}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .Values.prometheus.port | quote }}
prometheus.io/path: /metrics
{{- end -}}
{{- end -}}

{{/* What every container of Servicemap has; only capabilities and user differ. */}}
{{- define "servicemap.container" -}}
image: {{ include "servicemap.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
{{- if .isOwner }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- if .Values.prometheus.enabled }}
# The first lists and the first look at open connections may take a while on a large node.
startupProbe:
  httpGet: {path: /metrics, port: metrics}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /metrics, port: metrics}
  periodSeconds: 30
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /metrics, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
{{- end }}
{{- end -}}
