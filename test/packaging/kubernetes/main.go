// Checks docker/k8s: each folder named on the command line is built as `kubectl kustomize` would, every object
// is decoded strictly into Kubernetes' own types (an unknown or misspelt field fails), and what refers to
// something else in it must find it. Prints "N passed, N failed".
package main

import (
	"fmt"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

type objects struct {
	sets     []appsv1.StatefulSet
	configs  map[string]map[string]string
	claims   map[string]bool
	services map[string]corev1.Service
}

func build(folder string) (*objects, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	found := &objects{configs: map[string]map[string]string{}, claims: map[string]bool{}, services: map[string]corev1.Service{}}
	for _, resource := range built.Resources() {
		text, err := resource.AsYAML()
		if err != nil {
			return nil, err
		}
		if err := found.add(resource.GetKind(), text); err != nil {
			return nil, fmt.Errorf("%s '%s': %w", resource.GetKind(), resource.GetName(), err)
		}
	}
	return found, nil
}

func (found *objects) add(kind string, text []byte) error {
	switch kind {
	case "StatefulSet":
		var set appsv1.StatefulSet
		err := yaml.UnmarshalStrict(text, &set)
		found.sets = append(found.sets, set)
		return err
	case "ConfigMap":
		var config corev1.ConfigMap
		err := yaml.UnmarshalStrict(text, &config)
		found.configs[config.Name] = config.Data
		return err
	case "PersistentVolumeClaim":
		var claim corev1.PersistentVolumeClaim
		err := yaml.UnmarshalStrict(text, &claim)
		found.claims[claim.Name] = true
		return err
	case "Service":
		var service corev1.Service
		err := yaml.UnmarshalStrict(text, &service)
		found.services[service.Name] = service
		return err
	case "PersistentVolume":
		return yaml.UnmarshalStrict(text, &corev1.PersistentVolume{})
	case "PodDisruptionBudget":
		return yaml.UnmarshalStrict(text, &policyv1.PodDisruptionBudget{})
	}
	return fmt.Errorf("a kind that this check does not know, and that a shard does not need")
}

func isSubset(wanted, labels map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func (found *objects) check() (problems []string) {
	say := func(format string, values ...any) { problems = append(problems, fmt.Sprintf(format, values...)) }
	if len(found.sets) == 0 {
		say("no StatefulSet")
	}
	for _, set := range found.sets {
		labels := set.Spec.Template.Labels
		if !isSubset(set.Spec.Selector.MatchLabels, labels) {
			say("%s: its selector does not match its pods", set.Name)
		}
		service, exists := found.services[set.Spec.ServiceName]
		if !exists || !isSubset(service.Spec.Selector, labels) {
			say("%s: service '%s' does not select its pods", set.Name, set.Spec.ServiceName)
		}
		found.checkPod(&set, say)
	}
	return problems
}

func (found *objects) checkPod(set *appsv1.StatefulSet, say func(string, ...any)) {
	pod := set.Spec.Template.Spec
	volumes := map[string]bool{}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		volumes[claim.Name] = true
	}
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
		if claim := volume.PersistentVolumeClaim; claim != nil && !found.claims[claim.ClaimName] {
			say("%s: no claim '%s'", set.Name, claim.ClaimName)
		}
	}
	if pod.SecurityContext == nil || pod.SecurityContext.RunAsNonRoot == nil || !*pod.SecurityContext.RunAsNonRoot {
		say("%s: may run as root", set.Name)
	}
	if pod.ServiceAccountName != "" || pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		say("%s: gets rights in the cluster, and needs none", set.Name)
	}
	names := map[string]bool{}
	for _, container := range append(append([]corev1.Container{}, pod.InitContainers...), pod.Containers...) {
		names[container.Name] = true
		found.checkContainer(set.Name, &container, volumes, say)
	}
	for _, name := range []string{"copy-supervisor", "tablet", "mysqld"} {
		if !names[name] {
			say("%s: no container '%s'", set.Name, name)
		}
	}
}

func (found *objects) checkContainer(set string, container *corev1.Container, volumes map[string]bool, say func(string, ...any)) {
	where := set + "/" + container.Name
	for _, mount := range container.VolumeMounts {
		if !volumes[mount.Name] {
			say("%s: no volume '%s'", where, mount.Name)
		}
	}
	context := container.SecurityContext
	if context == nil || context.ReadOnlyRootFilesystem == nil || !*context.ReadOnlyRootFilesystem ||
		context.AllowPrivilegeEscalation == nil || *context.AllowPrivilegeEscalation {
		say("%s: its root file system can be written, or it can gain rights", where)
	}
	ports := map[string]bool{}
	for _, port := range container.Ports {
		ports[port.Name] = true
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
		if probe != nil && probe.HTTPGet != nil && !ports[probe.HTTPGet.Port.StrVal] {
			say("%s: a probe asks port '%s', which it does not have", where, probe.HTTPGet.Port.StrVal)
		}
	}
	found.checkVariables(where, container, say)
}

// Every $(NAME) of a command or of a variable's value must be set before it.
func (found *objects) checkVariables(where string, container *corev1.Container, say func(string, ...any)) {
	set := map[string]bool{}
	for _, source := range container.EnvFrom {
		data, exists := found.configs[source.ConfigMapRef.Name]
		if !exists {
			say("%s: no ConfigMap '%s'", where, source.ConfigMapRef.Name)
		}
		for name := range data {
			set[name] = true
		}
	}
	check := func(text string) {
		for _, part := range strings.Split(text, "$(")[1:] {
			if name, _, _ := strings.Cut(part, ")"); !set[name] {
				say("%s: '%s': variable %s is not set", where, text, name)
			}
		}
	}
	for _, variable := range container.Env {
		check(variable.Value)
		set[variable.Name] = true
	}
	for _, text := range append(append([]string{}, container.Command...), container.Args...) {
		check(text)
	}
}

func main() {
	passed, failed := 0, 0
	for _, folder := range os.Args[1:] {
		found, err := build(folder)
		var problems []string
		if err != nil {
			problems = []string{err.Error()}
		} else {
			problems = found.check()
		}
		for _, problem := range problems {
			fmt.Printf("%s: %s\n", folder, problem)
		}
		if len(problems) == 0 {
			passed++
		} else {
			failed++
		}
	}
	fmt.Printf("kubernetes: %d passed, %d failed\n", passed, failed)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}
