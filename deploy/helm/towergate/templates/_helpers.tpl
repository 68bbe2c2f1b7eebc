{{/* The name of everything. */}}
{{- define "towergate.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "towergate.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "towergate.labels" -}}
{{ include "towergate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "towergate.serviceAccount" -}}
{{- if .Values.deployment.serviceAccount.create }}{{ .Values.deployment.serviceAccount.name | default (include "towergate.fullname" .) }}{{ else }}{{ .Values.deployment.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "towergate.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Whether there is no database, as YAML's `off` may have become false. */}}
{{- define "towergate.isDbless" -}}
{{- if has (toString .Values.env.database) (list "off" "false" "<nil>") }}true{{ end }}
{{- end }}

{{/* What a listener is written as: 0.0.0.0:8443 ssl http2. */}}
{{- define "towergate.listener" -}}
{{ .host }}:{{ .port.containerPort }}{{ if .ssl }} ssl{{ end }}{{ range .port.parameters }} {{ . }}{{ end }}
{{- end }}

{{- define "towergate.proxyListen" -}}
{{- $listeners := list -}}
{{- if .Values.proxy.http.enabled }}{{ $listeners = append $listeners (include "towergate.listener" (dict "host" "0.0.0.0" "port" .Values.proxy.http)) }}{{ end -}}
{{- if .Values.proxy.tls.enabled }}{{ $listeners = append $listeners (include "towergate.listener" (dict "host" "0.0.0.0" "port" .Values.proxy.tls "ssl" true)) }}{{ end -}}
{{ if and .Values.proxy.enabled $listeners }}{{ join ", " $listeners }}{{ else }}off{{ end }}
{{- end }}

{{- define "towergate.adminListen" -}}
{{- $host := ternary "0.0.0.0" "127.0.0.1" .Values.admin.enabled -}}
{{- $listeners := list -}}
{{- if .Values.admin.http.enabled }}{{ $listeners = append $listeners (include "towergate.listener" (dict "host" $host "port" .Values.admin.http)) }}{{ end -}}
{{- if .Values.admin.tls.enabled }}{{ $listeners = append $listeners (include "towergate.listener" (dict "host" $host "port" .Values.admin.tls "ssl" true)) }}{{ end -}}
{{ if $listeners }}{{ join ", " $listeners }}{{ else }}off{{ end }}
{{- end }}

{{/* All variables of a container: what the chart works out, under what env says. */}}
{{- define "towergate.env" -}}
{{- $settings := dict "prefix" "/usr/local/kong" "proxy_listen" (include "towergate.proxyListen" .) "admin_listen" (include "towergate.adminListen" .) "status_listen" (printf "0.0.0.0:%v" .Values.status.http.containerPort) -}}
{{- if include "towergate.isDbless" . }}{{ $_ := set $settings "declarative_config" "/etc/kong/config/kong.yml" }}{{ end -}}
{{- range $name, $value := mergeOverwrite $settings (deepCopy .Values.env) }}
- name: {{ printf "KONG_%s" (upper $name) }}
{{- if kindIs "map" $value }}
{{ toYaml $value | indent 2 }}
{{- else if eq $name "database" }}
  value: {{ ternary "off" (toString $value) (has (toString $value) (list "false" "<nil>")) | quote }}
{{- else }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.customEnv }}
- name: {{ upper $name }}
{{- if kindIs "map" $value }}
{{ toYaml $value | indent 2 }}
{{- else }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The ConfigMap or Secret with kong.yml. */}}
{{- define "towergate.configVolume" -}}
{{- if .Values.dblessConfig.secret }}
secret:
  secretName: {{ .Values.dblessConfig.secret }}
{{- else }}
configMap:
  name: {{ .Values.dblessConfig.configMap | default (printf "%s-config" (include "towergate.fullname" .)) }}
{{- end }}
{{- end }}

{{- define "towergate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
