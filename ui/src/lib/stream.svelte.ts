// The event stream, read with fetch so that it carries credentials. One for the whole page.
import { API } from './api'
import { session } from './session.svelte'

type State = 'connecting' | 'open' | 'lost' | 'absent'

/** Without a frame or a comment for so long, the connection is lost. */
const SILENCE = 30_000
/** The longest pause before the next attempt. */
const LONGEST_PAUSE = 30_000

let state = $state<State>('connecting')
let lastId: string | null = null
const listeners = new Set<{ channels: Set<string>; notice: () => void }>()

export const stream = {
  get state() {
    return state
  },
}

/** Channels as a client asks for them, and the events that belong to each. */
const CHANNEL: Record<string, string> = {
  link: 'links', topics: 'topics', partition: 'topics', task: 'tasks', worker: 'workers', rebalance: 'workers',
  cluster: 'links', group: 'groups', activity: 'activity', alert: 'alerts',
}

export function onEvents(channels: string[], notice: () => void): () => void {
  const listener = { channels: new Set(channels), notice }
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function deliver(event: string): void {
  const channel = CHANNEL[event]
  for (const listener of listeners) {
    if (event === 'reset' || (channel && listener.channels.has(channel))) listener.notice()
  }
}

function frame(text: string): void {
  let event = 'message'
  for (const line of text.split('\n')) {
    if (line.startsWith('event:')) event = line.slice(6).trim()
    if (line.startsWith('id:')) lastId = line.slice(3).trim()
  }
  deliver(event)
}

async function once(): Promise<void> {
  const stop = new AbortController()
  let silence = setTimeout(() => stop.abort(), SILENCE)
  const headers: Record<string, string> = { Accept: 'text/event-stream' }
  if (session.authorization) headers.Authorization = session.authorization
  if (lastId) headers['Last-Event-ID'] = lastId
  try {
    const answer = await fetch(`${API}/events?channels=links,topics,tasks,workers,activity`, {
      headers, signal: stop.signal, credentials: 'omit', cache: 'no-store',
    })
    if (answer.status === 404 || answer.status === 501) {
      state = 'absent'
      return
    }
    if (!answer.ok || !answer.body) return
    state = 'open'
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    let buffer = ''
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(silence)
      silence = setTimeout(() => stop.abort(), SILENCE)
      buffer += value.replaceAll('\r\n', '\n')
      let end: number
      while ((end = buffer.indexOf('\n\n')) >= 0) {
        const block = buffer.slice(0, end)
        buffer = buffer.slice(end + 2)
        if (/^(event|data|id):/m.test(block)) frame(block)
      }
    }
  } catch {
    // A cut connection is told by the state below.
  } finally {
    clearTimeout(silence)
  }
}

/** Keeps the stream open for as long as the page lives. */
export async function startStream(): Promise<void> {
  let pause = 1000
  for (;;) {
    if (!session.needsCredentials) {
      const began = performance.now()
      await once()
      if (state === 'absent') return
      // After a good stretch the next attempt is quick again.
      if (performance.now() - began > 60_000) pause = 1000
      if (state === 'open') pause = 1000
      state = 'lost'
    }
    await new Promise((resume) => setTimeout(resume, pause * (0.8 + Math.random() * 0.4)))
    pause = Math.min(LONGEST_PAUSE, pause * 2)
  }
}
