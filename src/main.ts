import { run } from "./cli/cli.ts";
import { args, exit } from "./deno/process.ts";

exit(await run(args));
