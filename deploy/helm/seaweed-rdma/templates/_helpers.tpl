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
The target, as a container of the volume server's pod, and the volume that it mounts: for charts that take this one as a
dependency. deploy/kustomize/target/sidecar.yaml says the same without Helm. Both take: root (this chart's scope). The
container also takes dataVolume and dataPath, the volume takes config (a ConfigMap with target.toml).
*/}}
{{- define "seaweed-rdma.targetContainer" -}}
name: seaweed-rdma-target
image: {{ include "seaweed-rdma.image" .root }}
args: ["target", "--config", "/etc/seaweed-rdma/target.toml"]
{{- if .root.Values.ipcLock }}
env:
  - { name: SEAWEED_RDMA_NODE, value: /app/node-ipc-lock }
{{- end }}
ports:
  - { name: rdma, containerPort: 18515, protocol: TCP }
  - { name: rdma-admin, containerPort: 18516, protocol: TCP }
startupProbe:
  httpGet: { path: /livez, port: rdma-admin }
  periodSeconds: 2
  # Ten million needles load in seconds, from a cold disk in minutes.
  failureThreshold: 150
# Not /readyz: the pod's readiness is the volume server's, since forwarded requests need it even while the target is not ready.
livenessProbe:
  httpGet: { path: /livez, port: rdma-admin }
  periodSeconds: 10
# The group of the secret's file in a pod without fsGroup, and of volume files that a server run by root wrote.
securityContext:
{{ include "seaweed-rdma.securityContext" .root | replace "runAsGroup: 1000" "runAsGroup: 0" | indent 2 }}
resources:
  requests:
    cpu: 500m
    memory: 1536Mi
    {{- if .root.Values.rdma.resource }}
    {{ .root.Values.rdma.resource }}: {{ .root.Values.rdma.count }}
    {{- end }}
  limits:
    memory: 2Gi
    {{- if .root.Values.rdma.resource }}
    {{ .root.Values.rdma.resource }}: {{ .root.Values.rdma.count }}
    {{- end }}
volumeMounts:
  - { name: {{ .dataVolume }}, mountPath: {{ .dataPath }}, readOnly: true }
  - { name: seaweed-rdma-target, mountPath: /etc/seaweed-rdma, readOnly: true }
{{- end }}

{{- define "seaweed-rdma.targetVolume" -}}
name: seaweed-rdma-target
projected:
  sources:
    - configMap: { name: {{ .config }} }
    - secret:
        name: {{ .root.Values.secret.name }}
        items:
          - { key: {{ .root.Values.secret.key }}, path: secret/key, mode: 0440 }
          {{- with .root.Values.secret.secondKey }}
          - { key: {{ . }}, path: secret/second-key, mode: 0440 }
          {{- end }}
{{- end }}
