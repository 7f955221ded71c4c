// What belongs to this tab: look, time zone, and credentials, which stay in its memory.
import type { Info, WhoAmI } from './types'

type Theme = 'auto' | 'light' | 'dark'

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Without storage the choice lasts as long as the tab.
  }
}

let theme = $state<Theme>((stored('tributary.theme') as Theme) ?? 'auto')
let utc = $state(stored('tributary.utc') === '1')
let authorization: string | null = null
let needsCredentials = $state(false)
let signedIn = $state(false)
let me = $state.raw<WhoAmI | null>(null)
let info = $state.raw<Info | null>(null)

export const session = {
  get theme() {
    return theme
  },
  set theme(value: Theme) {
    theme = value
    store('tributary.theme', value)
    applyTheme()
  },
  get utc() {
    return utc
  },
  set utc(value: boolean) {
    utc = value
    store('tributary.utc', value ? '1' : '0')
  },
  get authorization() {
    return authorization
  },
  get needsCredentials() {
    return needsCredentials
  },
  set needsCredentials(value: boolean) {
    needsCredentials = value
  },
  get signedIn() {
    return signedIn
  },
  signIn(header: string | null) {
    authorization = header
    signedIn = header !== null
    needsCredentials = header === null
  },
  get me() {
    return me
  },
  set me(value: WhoAmI | null) {
    me = value
  },
  get info() {
    return info
  },
  set info(value: Info | null) {
    info = value
  },
  /** Whether what changes something is shown: not before it is known who asks. The worker decides again. */
  get mayWrite() {
    return me?.role === 'admin'
  },
}

export function applyTheme(): void {
  document.documentElement.dataset.theme = theme
}
