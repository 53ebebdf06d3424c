{{/* The files of pipelines. extraConfig is laid over the one of whoever owns the map. */}}

{{/* For ever: pods start in any order, so an endpoint that is not there yet is waited for, and one that comes back gets all. */}}
{{- define "servicemap.retry" -}}
{"max_elapsed_time": "0s"}
{{- end -}}

{{/* Exporters of whoever owns the map, and which of them take events and figures. */}}
{{- define "servicemap.exporters" -}}
{{- $exporters := dict -}}
{{- $logs := list -}}
{{- $metrics := list -}}
{{- $endpoint := .Values.otlp.endpoint -}}
{{- $insecure := .Values.otlp.insecure -}}
{{- if .Values.collector.enabled -}}
{{- $endpoint = printf "%s-collector.%s.svc:4317" (include "servicemap.fullname" .) .Release.Namespace -}}
{{- $insecure = true -}}
{{- end -}}
{{- if $endpoint -}}
{{- $otlp := dict "endpoint" $endpoint "retry_on_failure" (include "servicemap.retry" . | fromJson) -}}
{{- if $insecure }}{{ $_ := set $otlp "tls" (dict "insecure" true) }}{{ end -}}
{{- with .Values.otlp.headers }}{{ $_ := set $otlp "headers" . }}{{ end -}}
{{- $_ := set $exporters "otlp_grpc" $otlp -}}
{{- $logs = append $logs "otlp_grpc" -}}
{{- $metrics = append $metrics "otlp_grpc" -}}
{{- end -}}
{{- if .Values.stdout.enabled -}}
{{- $_ := set $exporters "debug" (dict "verbosity" .Values.stdout.verbosity) -}}
{{- $logs = append $logs "debug" -}}
{{- end -}}
{{- if .Values.prometheus.enabled -}}
{{- $_ := set $exporters "prometheus" (dict "endpoint" (include "servicemap.listen" (dict "root" . "port" .Values.prometheus.port))) -}}
{{- $metrics = append $metrics "prometheus" -}}
{{- end -}}
{{- dict "exporters" $exporters "logs" $logs "metrics" $metrics | toJson -}}
{{- end -}}

{{/* Pipelines to those exporters; a signal that nobody takes has none. The receiver otlp stands in none: what it takes is
     agents' records, which it hands to the receiver servicemap. */}}
{{- define "servicemap.service" -}}
{{- $pipelines := dict -}}
{{- with .out.logs }}{{ $_ := set $pipelines "logs" (dict "receivers" (list "servicemap") "exporters" .) }}{{ end -}}
{{- with .out.metrics }}{{ $_ := set $pipelines "metrics" (dict "receivers" (list "servicemap") "exporters" .) }}{{ end -}}
{{- dict "telemetry" (dict "logs" (dict "level" .level)) "pipelines" $pipelines | toJson -}}
{{- end -}}

{{/* Settings of the receiver that owns the map: the chart's, then the user's over them. */}}
{{- define "servicemap.owner" -}}
{{- $own := dict "enable_k8s_discovery" true -}}
{{- with .Values.clusterName }}{{ $_ := set $own "cluster_name" . }}{{ end -}}
{{- with .Values.watchNamespaces }}{{ $_ := set $own "watch_namespaces" . }}{{ end -}}
{{- mergeOverwrite $own (deepCopy .Values.settings) | toJson -}}
{{- end -}}

{{- define "servicemap.allInOneConfig" -}}
{{- $out := include "servicemap.exporters" . | fromJson -}}
{{- $receiver := mergeOverwrite (dict "host_name" "${env:NODE_NAME}") (include "servicemap.owner" . | fromJson) -}}
{{- $service := include "servicemap.service" (dict "out" $out "level" .Values.logLevel) | fromJson -}}
{{- $config := dict "receivers" (dict "servicemap" $receiver) "exporters" $out.exporters "service" $service -}}
{{- mergeOverwrite $config (deepCopy .Values.extraConfig) | toYaml -}}
{{- end -}}

{{- define "servicemap.agentConfig" -}}
{{- $receiver := mergeOverwrite (dict "role" "agent" "host_name" "${env:NODE_NAME}" "enable_k8s_discovery" true) (deepCopy .Values.agentSettings) -}}
{{- $endpoint := printf "%s-cluster.%s.svc:4317" (include "servicemap.fullname" .) .Release.Namespace -}}
{{- $exporters := dict "otlp_grpc" (dict "endpoint" $endpoint "tls" (dict "insecure" true) "retry_on_failure" (include "servicemap.retry" . | fromJson)) -}}
{{- $out := dict "logs" (list "otlp_grpc") "metrics" list -}}
{{- if .Values.prometheus.enabled -}}
{{- $_ := set $exporters "prometheus" (dict "endpoint" (include "servicemap.listen" (dict "root" . "port" .Values.prometheus.port))) -}}
{{- $_ := set $out "metrics" (list "prometheus") -}}
{{- end -}}
{{- $service := include "servicemap.service" (dict "out" $out "level" .Values.logLevel) | fromJson -}}
{{- dict "receivers" (dict "servicemap" $receiver) "exporters" $exporters "service" $service | toYaml -}}
{{- end -}}

{{- define "servicemap.clusterConfig" -}}
{{- $out := include "servicemap.exporters" . | fromJson -}}
{{- $receiver := mergeOverwrite (dict "role" "cluster") (include "servicemap.owner" . | fromJson) -}}
{{- $otlp := dict "protocols" (dict "grpc" (dict "endpoint" (include "servicemap.listen" (dict "root" . "port" 4317)))) -}}
{{- $service := include "servicemap.service" (dict "out" $out "level" .Values.logLevel) | fromJson -}}
{{- $config := dict "receivers" (dict "otlp" $otlp "servicemap" $receiver) "exporters" $out.exporters "service" $service -}}
{{- mergeOverwrite $config (deepCopy .Values.extraConfig) | toYaml -}}
{{- end -}}
