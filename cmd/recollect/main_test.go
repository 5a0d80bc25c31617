package main

import (
	"github.com/spf13/cobra"

	"github.com/recollect-dev/recollect/internal/video"
)

// command returns the program as tests run it: without a sandbox, so that it decodes no videos.
func command() *cobra.Command { return rootCommand(video.Sandbox{}) }
