// The shapes that screens use: those of the OpenAPI document, under their names. Unknown numbers are null, never 0.
import type { components } from './schema'

type Shapes = components['schemas']

export type Link = Shapes['Link']
export type Health = Link['health']
export type Lag = Shapes['LinkLag']
export type ClusterRef = Shapes['ClusterRef']
export type CatchUp = Shapes['CatchUp']
export type Attention = Shapes['Attention']
export type Explanation = Shapes['Explanation']
export type Verdict = Shapes['Verdict']
export type Word = Verdict['verdict']
export type HealthAnswer = Shapes['LinkHealth']
export type Topic = Shapes['Topic']
export type Partition = Shapes['Partition']
export type Task = Shapes['Task']
export type LinkConfig = Shapes['LinkConfig']
export type EffectiveKey = LinkConfig['rows'][number]
export type Preview = Shapes['Preview']
export type PreflightAnswer = Shapes['Preflight']
export type PreviewRow = Shapes['PreviewRow']
export type Worker = Shapes['Worker']
export type Rebalance = Shapes['Rebalance']
export type Activity = Shapes['Activity']
export type Cluster = Shapes['Cluster']
export type Incomplete = Shapes['Incomplete']
export type Overview = Shapes['Overview']
export type Info = Shapes['Info']
export type WhoAmI = Shapes['Whoami']

export interface List<T> {
  items: T[]
  total: number
  next_cursor: string | null
  as_of: string
  incomplete: Incomplete[]
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
