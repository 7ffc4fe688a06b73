{{- define "irsa-sidecar.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "irsa-sidecar.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: webhook
{{- end }}

{{- define "irsa-sidecar.labels" -}}
{{ include "irsa-sidecar.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* image: {image: .Values.images.x, version: .Chart.AppVersion} */ -}}
{{- define "irsa-sidecar.image" -}}
{{- $image := .image -}}
{{- if $image.digest }}{{ printf "%s@%s" $image.repository $image.digest }}{{ else }}{{ printf "%s:%s" $image.repository ($image.tag | default .version) }}{{ end }}
{{- end }}

{{- define "irsa-sidecar.secret" -}}
{{- if eq .Values.certificates.mode "existingSecret" }}{{ required "certificates.secretName: name the Secret (type kubernetes.io/tls) that holds the webhook's certificate" .Values.certificates.secretName }}{{ else }}{{ include "irsa-sidecar.name" . }}-tls{{ end }}
{{- end }}

{{- define "irsa-sidecar.host" -}}
{{ include "irsa-sidecar.name" . }}.{{ .Release.Namespace }}.svc
{{- end }}
