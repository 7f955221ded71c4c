// Asks what a configuration would do, while it is being typed: one question at a time, the newest wins.
import { ApiError, send } from './api'
import type { Configuration } from './spelling'
import type { Preview } from './types'

export class Previewer {
  preview = $state.raw<Preview | null>(null)
  error = $state.raw<ApiError | null>(null)
  busy = $state(false)
  #timer: ReturnType<typeof setTimeout> | undefined
  #running: AbortController | null = null
  #reading: string | null = null
  #source = ''

  /** `source` names what the topics are read from; a reading of another source is not used again. */
  ask(body: { config: Configuration } | { link: string }, source: string, delay = 300): void {
    clearTimeout(this.#timer)
    this.#running?.abort()
    this.busy = true
    if (source !== this.#source) this.#reading = null
    this.#source = source
    this.#timer = setTimeout(() => void this.#send(body), delay)
  }

  async #send(body: object): Promise<void> {
    const own = new AbortController()
    this.#running = own
    try {
      const answer = await send<Preview>(
        { method: 'POST', path: '/api/v1/preview', body: { ...body, ...(this.#reading ? { reading_id: this.#reading } : {}) } },
        own.signal,
      )
      if (own.signal.aborted) return
      this.preview = answer
      this.#reading = answer.reading_id
      this.error = null
    } catch (cause) {
      if (own.signal.aborted) return
      this.error = cause instanceof ApiError ? cause : new ApiError(0, String(cause))
    }
    this.busy = false
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#running?.abort()
    this.busy = false
  }

  /** Forgets what was asked, and what was answered. */
  clear(): void {
    this.stop()
    this.preview = null
    this.error = null
  }
}
