export { defaultOptions, openPlatform, type PlatformOptions, type PlatformParts, RESTLESS_STEPS } from './platform.ts'
