{{- define "seaweed-rdma.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "seaweed-rdma.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: proxy
{{- end }}

{{- define "seaweed-rdma.labels" -}}
{{ include "seaweed-rdma.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "seaweed-rdma.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "seaweed-rdma.fullname" .) .Values.serviceAccount.name }}{{ else }}{{ default "default" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "seaweed-rdma.image" -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}

{{/* Of every container here: no root, no writes, one capability at most. */}}
{{- define "seaweed-rdma.securityContext" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
readOnlyRootFilesystem: true
# A user who is not root gets a capability only through the executable's file capability, which no_new_privs would ignore.
allowPrivilegeEscalation: {{ .Values.ipcLock }}
capabilities:
  drop: ["ALL"]
  {{- if .Values.ipcLock }}
  add: ["IPC_LOCK"]
  {{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/*
The target, as a container of the volume server's pod. For charts that take this one as a dependency; the Kustomize
patch in deploy/kustomize/target says the same without Helm. Takes: root (.), config (name of a ConfigMap with
target.toml), secret (name of the Secret), dataVolume, dataPath.
*/}}
{{- define "seaweed-rdma.targetContainer" -}}
name: seaweed-rdma-target
image: {{ include "seaweed-rdma.image" .root }}
args: ["target", "--config", "/etc/seaweed-rdma/target.toml"]
env:
  - name: SEAWEED_RDMA__RDMA__SECRET_FILE
    value: /etc/seaweed-rdma/secret/key
  {{- if .root.Values.ipcLock }}
  - name: SEAWEED_RDMA_NODE
    value: /app/node-ipc-lock
  {{- end }}
ports:
  - { name: rdma, containerPort: 18515, protocol: TCP }
readinessProbe:
  exec: { command: ["/app/bin/seaweed-rdma", "ping", "--config", "/etc/seaweed-rdma/target.toml", "--count", "1"] }
  periodSeconds: 30
  timeoutSeconds: 10
securityContext:
{{ include "seaweed-rdma.securityContext" .root | indent 2 }}
resources:
  requests: { cpu: 500m, memory: 1536Mi }
  limits:
    memory: 2Gi
    {{- if .root.Values.rdma.resource }}
    {{ .root.Values.rdma.resource }}: {{ .root.Values.rdma.count }}
    {{- end }}
volumeMounts:
  - { name: {{ .dataVolume }}, mountPath: {{ .dataPath }}, readOnly: true }
  - { name: seaweed-rdma-target, mountPath: /etc/seaweed-rdma, readOnly: true }
  - { name: seaweed-rdma-secret, mountPath: /etc/seaweed-rdma/secret, readOnly: true }
{{- end }}
