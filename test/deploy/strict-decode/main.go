// Reads JSON objects of Kubernetes, one a line, and decodes each strictly into its own Go type, as an API server with
// strict validation would: an unknown or misspelled key, or a value of another type, is an error. Prints a line for each
// that is wrong; kinds that are not Kubernetes' own are named on stderr and left to others.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

type named struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
}

func typeOf(object named) any {
	switch object.APIVersion + " " + object.Kind {
	case "apps/v1 DaemonSet":
		return &apps.DaemonSet{}
	case "apps/v1 StatefulSet":
		return &apps.StatefulSet{}
	case "networking.k8s.io/v1 NetworkPolicy":
		return &networking.NetworkPolicy{}
	case "v1 ConfigMap":
		return &core.ConfigMap{}
	case "v1 Pod":
		return &core.Pod{}
	case "v1 ServiceAccount":
		return &core.ServiceAccount{}
	}
	return nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	count, wrong := 0, 0
	for lines.Scan() {
		var object named
		if err := json.Unmarshal(lines.Bytes(), &object); err != nil {
			fmt.Println("not JSON:", err)
			os.Exit(1)
		}
		target := typeOf(object)
		if target == nil {
			fmt.Fprintln(os.Stderr, "left to others:", object.APIVersion, object.Kind)
			continue
		}
		count++
		if err := yaml.UnmarshalStrict(lines.Bytes(), target); err != nil {
			wrong++
			fmt.Printf("%s %s: %v\n", object.Kind, object.Metadata.Name, err)
		}
	}
	fmt.Fprintln(os.Stderr, count, "decoded")
	if wrong > 0 {
		os.Exit(1)
	}
}
