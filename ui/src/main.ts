import './app.css'
import { mount } from 'svelte'
import App from './App.svelte'
import { startClock } from './lib/clock.svelte'
import { startRouting } from './lib/route.svelte'
import { applyTheme } from './lib/session.svelte'

applyTheme()
startClock()
startRouting()

const target = document.getElementById('app')
if (target) mount(App, { target })
