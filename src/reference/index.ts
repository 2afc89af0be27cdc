export { defaultOptions, openPlatform, type PlatformOptions, type PlatformParts } from './platform.ts'
