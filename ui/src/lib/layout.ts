// Where the clusters of the map stand: sources left, destinations right, what is both between them.
import type { ClusterRef, Link } from './types'

export interface Node_ {
  id: string
  ref: ClusterRef
  aliases: string[]
  x: number
  y: number
}

export interface Edge {
  id: string
  from: Node_
  to: Node_
  links: Link[]
}

export interface Picture {
  nodes: Node_[]
  edges: Edge[]
  width: number
  height: number
}

export const NODE = { width: 168, height: 54 }

/** A cluster is its id; before that is known, its address. */
export function clusterKey(ref: ClusterRef): string {
  return ref.cluster_id ?? `address:${ref.bootstrap ?? ref.alias ?? 'unknown'}`
}

export function picture(links: Link[], wide: number): Picture {
  const nodes = new Map<string, Node_>()
  const node = (ref: ClusterRef) => {
    const id = clusterKey(ref)
    const found = nodes.get(id) ?? { id, ref, aliases: [], x: 0, y: 0 }
    if (ref.alias && !found.aliases.includes(ref.alias)) found.aliases.push(ref.alias)
    nodes.set(id, found)
    return found
  }
  const edges = new Map<string, Edge>()
  for (const link of links) {
    const from = node(link.source)
    const to = node(link.destination)
    const id = `${from.id}\u0000${to.id}`
    const edge = edges.get(id) ?? { id, from, to, links: [] }
    edge.links.push(link)
    edges.set(id, edge)
  }
  // Columns: one behind the furthest source; a circle ends the counting.
  const column = new Map([...nodes.keys()].map((id) => [id, 0]))
  for (let round = 0; round < Math.min(nodes.size, 4); round += 1) {
    for (const { from, to } of edges.values()) {
      const back = [...edges.values()].some((edge) => edge.from === to && edge.to === from)
      const next = (column.get(from.id) ?? 0) + 1
      if (from !== to && next <= 3 && next > (column.get(to.id) ?? 0) && (!back || from.id < to.id)) column.set(to.id, next)
    }
  }
  // Sources stand directly before what they feed.
  for (const id of nodes.keys()) {
    const out = [...edges.values()].filter((edge) => edge.from.id === id && edge.to.id !== id)
    const fed = [...edges.values()].some((edge) => edge.to.id === id)
    if (out.length && !fed) column.set(id, Math.max(0, Math.min(...out.map((edge) => column.get(edge.to.id) ?? 1)) - 1))
  }
  const used = [...new Set(column.values())].sort((left, right) => left - right)
  const columns = used.map((at) => [...nodes.values()].filter((each) => column.get(each.id) === at))
  // Less crossing: by the mean place of the neighbours before.
  columns.forEach((members, index) => {
    if (index === 0) return members.sort((left, right) => (left.aliases[0] ?? left.id).localeCompare(right.aliases[0] ?? right.id))
    const before = columns[index - 1]!
    const mean = (each: Node_) => {
      const places = [...edges.values()].filter((edge) => edge.to === each || edge.from === each).map((edge) => before.indexOf(edge.from === each ? edge.to : edge.from)).filter((place) => place >= 0)
      return places.length ? places.reduce((sum, place) => sum + place, 0) / places.length : before.length / 2
    }
    return members.sort((left, right) => mean(left) - mean(right))
  })
  const rowHeight = Math.max(...columns.map((members) => members.length)) > 12 ? 66 : 92
  const tallest = Math.max(1, ...columns.map((members) => members.length))
  const height = Math.max(210, tallest * rowHeight + 28)
  const width = Math.max(wide, columns.length * (NODE.width + 150) - 150 + 16)
  const step = columns.length > 1 ? (width - NODE.width - 16) / (columns.length - 1) : 0
  columns.forEach((members, index) => {
    members.forEach((each, place) => {
      each.x = columns.length > 1 ? 8 + index * step : (width - NODE.width) / 2
      each.y = (height / members.length) * (place + 0.5) - NODE.height / 2
    })
  })
  return { nodes: [...nodes.values()], edges: [...edges.values()], width, height }
}

/** The line of an edge, and where its label stands. Opposite directions bow apart. */
export function curve(edge: Edge, opposed: boolean): { path: string; x: number; y: number } {
  const { from, to } = edge
  const middle = NODE.height / 2
  if (from === to) {
    const x = from.x + NODE.width
    const y = from.y + middle
    return { path: `M${x} ${y - 12}C${x + 60} ${y - 50} ${x + 60} ${y + 50} ${x} ${y + 12}`, x: x + 50, y }
  }
  if (Math.abs(from.x - to.x) < 1) {
    const x = from.x + NODE.width
    const bow = 70
    const [y1, y2] = [from.y + middle, to.y + middle]
    return { path: `M${x} ${y1}C${x + bow} ${y1} ${x + bow} ${y2} ${x} ${y2}`, x: x + bow * 0.75, y: (y1 + y2) / 2 }
  }
  const forward = from.x < to.x
  const shift = opposed ? (forward ? -13 : 13) : 0
  const [x1, x2] = forward ? [from.x + NODE.width, to.x] : [from.x, to.x + NODE.width]
  const [y1, y2] = [from.y + middle + shift, to.y + middle + shift]
  const reach = Math.abs(x2 - x1) * 0.45 * (forward ? 1 : -1)
  const bow = opposed ? (forward ? -16 : 16) : 0
  return { path: `M${x1} ${y1}C${x1 + reach} ${y1 + bow} ${x2 - reach} ${y2 + bow} ${x2} ${y2}`, x: (x1 + x2) / 2, y: (y1 + y2) / 2 + bow * 0.75 }
}

/** Bytes per second as the width of a line: logarithmic, from a trickle to gigabytes. */
export function lineWidth(bytes: number | null): number {
  if (!bytes || bytes <= 0) return 2
  return Math.min(12, Math.max(2, 2 + (Math.log10(bytes) - 3) * 1.6))
}
