import { run } from "./cli/cli.ts";
import { isText, log } from "./deno/log.ts";
import { args, complain, exit } from "./deno/process.ts";

/** What nothing else has caught is a fault of the program: it ends, and says so. */
run(args).then(exit, (error) => {
  const detail = error instanceof Error ? error.stack : String(error);
  if (isText()) complain(`dinopost: internal error: ${detail}`);
  else log("error", "internal error", { error: detail });
  return exit(70);
});
