{{/* The name that all objects begin with: that of the release, with the chart's where it is not in it. */}}
{{- define "edge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels by which pods are chosen: (dict "root" $ "component" "edge"). They never change. */}}
{{- define "edge.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "edge.labels" -}}
{{ include "edge.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* A flagfile of the flags in a map, one per line. Helm reads all numbers as floats. */}}
{{- define "edge.flagfile" -}}
{{- range $name, $value := . }}
{{- if kindIs "float64" $value }}
-{{ $name }}={{ int64 $value }}
{{- else }}
-{{ $name }}={{ $value }}
{{- end }}
{{- end }}
{{- end -}}

{{/* What both kinds of pod have in their flagfile, whatever the values say. */}}
{{- define "edge.originFlags" -}}
{{- $own := dict "port" .Values.ports.media "internal_port" .Values.ports.internal "grace_term_s" .Values.drain.graceTermSeconds -}}
{{ include "edge.flagfile" (merge $own .Values.origin.flags) }}
{{- end -}}

{{- define "edge.edgeFlags" -}}
{{- $origins := printf "srv://_rtmp._tcp.%s-origin.%s.svc.%s" (include "edge.fullname" .) .Release.Namespace .Values.clusterDomain -}}
{{- $own := dict "port" .Values.ports.media "internal_port" .Values.ports.internal "grace_term_s" .Values.drain.graceTermSeconds -}}
{{- $given := merge (dict) .Values.edge.flags -}}
{{ include "edge.flagfile" (merge $own $given (dict "proxy_to" $origins)) }}
{{- end -}}

{{/* The template of a pod: (dict "root" $ "component" "edge" "values" .Values.edge "flags" TEXT "config" NAME). */}}
{{- define "edge.pod" -}}
metadata:
  labels:
    {{- include "edge.labels" . | nindent 4 }}
  annotations:
    {{- if .root.Values.rollOnFlagChange }}
    checksum/flags: {{ .flags | sha256sum }}
    {{- end }}
    prometheus.io/scrape: "true"
    prometheus.io/port: {{ .root.Values.ports.internal | quote }}
    prometheus.io/path: /metrics
    {{- with .values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ add .root.Values.drain.preStopSeconds .root.Values.drain.graceTermSeconds 10 }}
  securityContext:
    runAsNonRoot: true
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: edge
      image: {{ printf "%s:%s" .root.Values.image.repository (default .root.Chart.AppVersion .root.Values.image.tag) }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: ["-flagfile=/etc/edge/edge.flags"]
      ports:
        - name: rtmp
          containerPort: {{ .root.Values.ports.media }}
          protocol: TCP
        - name: internal
          containerPort: {{ .root.Values.ports.internal }}
          protocol: TCP
      startupProbe:
        httpGet: {path: /healthz, port: internal}
        periodSeconds: 1
        failureThreshold: 60
      readinessProbe:
        httpGet: {path: /readyz, port: internal}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      livenessProbe:
        httpGet: {path: /healthz, port: internal}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      lifecycle:
        preStop:
          exec:
            command: ["sleep", {{ .root.Values.drain.preStopSeconds | toString | quote }}]
      resources:
        {{- toYaml .values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: flags
          mountPath: /etc/edge
          readOnly: true
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: flags
      configMap:
        name: {{ .config }}
    - name: tmp
      emptyDir: {}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "edge.selector" . | nindent 10 }}
  {{- with .values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
