// The shapes of /api/v1, as the worker documents them. Unknown numbers are null, never 0.

export type Health = 'HEALTHY' | 'CATCHING_UP' | 'DEGRADED' | 'FAILED' | 'UNKNOWN' | 'PAUSED' | 'STOPPED'
export type Word = 'PASS' | 'WARN' | 'FAIL' | 'UNKNOWN'

export interface Explanation {
  id: string
  title: string
  cause: string
  side: 'source' | 'destination' | 'worker' | 'unknown'
  fix: string[]
  commands: string[]
  retries: 'automatic' | 'needs-action'
  help?: string | null
  matched_text?: string | null
}

export interface Verdict {
  check: string
  verdict: Word
  evidence: string
  observed_at: string | null
  age_seconds: number | null
  observed_by?: string | null
  remedy?: string | null
  explanation?: Explanation | null
  affected?: { topics: number; partitions: number } | null
}

export interface Lag {
  known: boolean
  records: number | null
  seconds: number | null
  bytes: number | null
  seconds_basis?: 'observed' | 'timestamp' | 'stale' | null
  bytes_basis?: string | null
  as_of: string | null
}

export interface ClusterRef {
  alias: string | null
  cluster_id: string | null
  bootstrap: string | null
}

export interface CatchUp {
  seconds: number | null
  records_per_second: number | null
  converging: boolean | null
}

export interface Attention {
  severity: 'critical' | 'warning' | 'info'
  object: { kind: string; link?: string; topic?: string; partition?: number; task?: number; worker?: string }
  summary: string
  since: string | null
  explanation?: Explanation | null
  actions?: { label: string; method: string; path: string }[]
}

export interface Link {
  name: string
  source: ClusterRef
  destination: ClusterRef
  health: Health
  health_reason: string | null
  connect_state: string
  mode?: string | null
  naming?: { format: string; example: string | null } | null
  tasks: { total: number; running: number; failed: number; paused: number; unassigned: number }
  topics: { total: number; active: number; failing: number; paused: number; excluded: number } | null
  partitions?: { total: number; by_state: Record<string, number> } | null
  records_per_second: number | null
  bytes_per_second: number | null
  lag: Lag
  catch_up?: CatchUp | null
  retention_headroom_seconds?: number | null
  attention?: Attention[]
  workers?: string[]
  created_at?: string | null
  changed_at?: string | null
  config_version?: string | null
  companions?: string[]
  as_of: string | null
}

export interface HealthAnswer {
  health: Health
  health_reason: string | null
  checks?: Verdict[]
  items?: Verdict[]
  as_of: string | null
}

export interface Topic {
  link?: string
  topic: string
  destination_topic: string | null
  partitions: { source: number | null; destination: number | null }
  state: string
  state_class: 'active' | 'creating' | 'failing' | 'neutral'
  reason: string | null
  since: string | null
  lag: Lag
  records_per_second: number | null
  bytes_per_second: number | null
  catch_up?: CatchUp | null
  retention_headroom_seconds?: number | null
  excluded_by?: string | null
}

export interface Gap {
  kind: string
  from_offset: number | null
  to_offset: number | null
  policy?: string | null
  answers: string[]
}

export interface Partition {
  topic?: string
  partition: number
  state: string
  reason: string | null
  since: string | null
  source_start_offset: number | null
  source_end_offset: number | null
  read_offset: number | null
  acked_offset: number | null
  destination_end_offset: number | null
  lag: Lag
  last_record_timestamp: string | null
  source_leader: number | null
  destination_leader: number | null
  task: number | null
  worker_id?: string | null
  error?: {
    offset: number | null
    kind?: string
    message: string
    side?: string
    next_attempt_at?: string | null
    explanation?: Explanation | null
  } | null
  gap?: Gap | null
}

export interface Task {
  link: string
  task: number
  state: string
  worker_id: string | null
  since: string | null
  partitions: number | null
  restarts: number | null
  trace: string | null
  explanation?: Explanation | null
}

export interface EffectiveKey {
  key: string
  value: string | null
  status: 'set' | 'default' | 'mapped' | 'ignored' | 'unknown' | 'invalid'
  meaning: string
  origin: string | null
}

export interface LinkConfig {
  config_version: string
  rows: EffectiveKey[]
  problems: string[]
  notices: string[]
}

export interface PreviewRow {
  topic: string
  decision: string
  rule?: string | null
  destination_topic: string | null
  action: 'create' | 'exists' | 'grow' | 'alter' | 'error' | 'unknown' | null
  partitions?: { source: number | null; destination: number | null; planned: number | null } | null
  replication_factor?: { planned: number | null; why?: string | null } | null
  settings?: { key: string; source?: string | null; planned: string | null; actual: string | null; why: string | null }[]
  warnings?: { id: string; error?: boolean; text: string; fix: string | null }[]
  offsets?: Record<string, unknown> | null
  retained_bytes?: number | null
  steps?: string[]
}

export interface Preview {
  reading_id: string | null
  as_of: string | null
  rows: PreviewRow[]
  totals?: Record<string, number | null> | null
  plan?: { step: string | number; object: string; change: string; destructive: boolean }[] | null
  estimate?: {
    retained_bytes: number | null
    rate_bytes_per_second?: number | null
    seconds: number | null
    tasks: number | null
  } | null
  acls?: { side: string; command: string }[] | null
  access_rights?: Record<string, unknown> | null
  notices?: string[]
}

export interface Worker {
  worker_id: string
  version: string
  commit: string | null
  started_at: string | null
  leader: boolean | null
  answered: Verdict | null
  links: number | null
  tasks: number | null
  partitions: number | null
  cpu_ratio: number | null
  resident_bytes: number | null
  buffer: { used_bytes: number | null; limit_bytes: number | null } | null
  stage: { text: string; since: string | null } | null
  config_offset?: number | null
}

export interface Rebalance {
  generation: number | null
  state: 'done' | 'running' | 'scheduled'
  reason: string | null
  started_at: string | null
  duration_seconds: number | null
  remaining_seconds: number | null
  moved?: { link: string; task: number | null; from: string | null; to: string | null }[]
  unassigned?: { link: string; task: number | null; last_worker: string | null }[]
}

export interface Activity {
  id: string | number
  at: string
  kind: string
  actor: { user: string | null; address?: string | null; client?: string | null } | null
  object: { kind?: string; link?: string; topic?: string; partition?: number; task?: number } | null
  summary: string
  diff?: unknown
  explanation?: Explanation | null
}

export interface Cluster {
  alias: string | null
  aliases?: string[] | null
  cluster_id: string | null
  bootstrap: string | null
  version?: string | null
  brokers?: { reachable: number | null; total: number | null } | null
  reachability?: Verdict | null
}

export interface Incomplete {
  worker_id: string
  reason: string
  partitions: number | null
}

export interface List<T> {
  items: T[]
  total: number | null
  next_cursor: string | null
  as_of: string | null
  incomplete?: Incomplete[]
}

export interface Overview {
  clusters: Cluster[]
  links: Link[]
  attention: Attention[]
  rebalance?: Rebalance | null
  incomplete?: Incomplete[]
  as_of: string | null
}

export interface Info {
  version: string
  commit?: string | null
  group?: string | null
  group_id?: string | null
  worker_id?: string | null
  mode?: string | null
  features?: string[] | null
  authentication?: boolean | string | null
}

export interface WhoAmI {
  user: string | null
  role: 'admin' | 'viewer'
  authentication?: string | boolean | null
}

export interface Series {
  metric?: string
  topic?: string | null
  partition?: number | null
  points: [number | string, number | null][]
}

export interface History {
  step?: number | string | null
  step_seconds?: number | null
  from?: string | null
  to?: string | null
  series: Series[]
  as_of?: string | null
}

// Connect's own shapes.

export interface ConfigDefinition {
  name: string
  type: string
  required: boolean
  default_value: string | null
  importance: 'HIGH' | 'MEDIUM' | 'LOW'
  documentation: string
  group: string | null
  width: 'SHORT' | 'MEDIUM' | 'LONG' | 'NONE' | string
  display_name: string
  dependents: string[]
  order: number
}

export interface ConfigEntry {
  definition: ConfigDefinition
  value: { name: string; value: string | null; recommended_values: string[]; errors: string[]; visible: boolean }
}

export interface Validation {
  name: string
  error_count: number
  groups: string[]
  configs: ConfigEntry[]
}

export interface Plugin {
  class: string
  type: string
  version: string
}

export interface ConnectorStatus {
  name: string
  connector: { state: string; worker_id: string; trace?: string }
  tasks: { id: number; state: string; worker_id: string; trace?: string }[]
  type: string
}

export interface ConnectorInfo {
  name: string
  config: Record<string, string>
  tasks: { connector: string; task: number }[]
  type: string
}
