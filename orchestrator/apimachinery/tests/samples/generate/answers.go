package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// leaf holds one member of each type that has marshalling of its own.
type leaf struct {
	Quantity    *resource.Quantity  `json:"quantity,omitempty"`
	Time        *metav1.Time        `json:"time,omitempty"`
	MicroTime   *metav1.MicroTime   `json:"microTime,omitempty"`
	Duration    *metav1.Duration    `json:"duration,omitempty"`
	IntOrString *intstr.IntOrString `json:"intOrString,omitempty"`
	Bytes       []byte              `json:"bytes,omitempty"`
	Float       *float64            `json:"float,omitempty"`
	String      *string             `json:"string,omitempty"`
}

var leaves = map[string][]string{
	"quantity": {`"0"`, `"0Ki"`, `"-0"`, `"1"`, `1`, `0.1`, `1e3`, `"100m"`, `"0.1"`, `"1.5"`, `"1.500"`, `"007"`, `"1000"`, `"1500"`,
		`"12e6"`, `"1e1"`, `"1E3"`, `"1E"`, `"1Ki"`, `"1024Ki"`, `"1025Ki"`, `"1.5Gi"`, `"0.5Ki"`, `"1000Mi"`, `"0.1Ki"`, `"1.1Mi"`,
		`"1n"`, `"0.1n"`, `"-1.5"`, `"+5"`, `"1."`, `".5"`, `"."`, `"-"`, `"+"`, `"16Ei"`, `"100000000000000000000Ki"`, `"8Ei"`, `"7.5Ei"`,
		`"123456789012345678901234567890"`, `"999999999999999999"`, `"9999999999999999999"`, `"1e-9"`, `"1e-10"`, `"5e-20"`, `"1e2"`, `"1e20"`,
		`"3.14159265358979"`, `"1000000"`, `"1000k"`, `"1000000k"`, `"999999k"`, `"0.001k"`, `"1000n"`, `"1000u"`, `"1000000000n"`, `"1500u"`,
		`"-2048Ki"`, `"-1.5Gi"`, `"-0.5Ki"`, `"2047Ki"`, `"1023"`, `"1023.5Ki"`, `" 5 "`, `"5 Mi"`, `"1.2.3"`, `"1iK"`, `"1e"`, `"e1"`, `""`, `"Ki"`,
		`"1KI"`, `"0x1"`, `true`, `{}`, `"1e3e3"`, `"1m5"`, `"100Mi5"`, `"0.0000000001"`, `"0.00000000011Ki"`, `"1e18"`, `"1e19"`, `"1000E"`, `"12345678901234567890Mi"`},
	"time": {`"2008-01-01T01:01:01Z"`, `"2008-01-01T03:31:01.999+02:30"`, `"2024-02-29T23:59:59-12:00"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59Z"`,
		`"2023-02-29T00:00:00Z"`, `"2023-01-01t00:00:00Z"`, `"2023-01-01T24:00:00Z"`, `"2023-01-01T00:00:60Z"`, `"2023-1-1T00:00:00Z"`, `"2023-01-01T00:00:00"`,
		`"2023-01-01T00:00:00,5Z"`, `"2023-01-01T00:00:00.Z"`, `"2023-01-01 00:00:00Z"`, `""`, `1`, `"2023-01-01T00:00:00+0100"`, `"2023-01-01T00:00:00+25:00"`,
		`"2023-01-01T00:00:00z"`, `"2023-01-01T1:00:00Z"`, `"2023-01-01T00:00:00+24:00"`, `"2023-01-01T00:00:00+00:60"`},
	"microTime": {`"2008-01-01T01:01:01.000010Z"`, `"2008-01-01T01:01:01.000010+01:00"`, `"2008-01-01T01:01:01Z"`, `"2008-01-01T01:01:01.1Z"`, `"2008-01-01T01:01:01.1234567Z"`, `"2008-01-01T01:01:01,123456Z"`},
	"duration": {`"0s"`, `"0"`, `"1h"`, `"1.5h"`, `"90m"`, `"1ns"`, `"1us"`, `"1µs"`, `"2.2ms"`, `"-1.5s"`, `"+5s"`, `"1h15m30.918273645s"`, `"3"`, `""`, `"1d"`, `".5s"`,
		`"1.s"`, `".s"`, `"1h1"`, `"9223372036854775807ns"`, `"9223372036854775808ns"`, `"-9223372036854775808ns"`, `"0.0000000001s"`, `"1.0000000019s"`, `"3000000h"`, `5`},
	"intOrString": {`1`, `-1`, `"1"`, `"25%"`, `2147483648`, `1.5`, `true`, `""`, `[]`},
	"bytes":       {`"AQID"`, `""`, `"Zg=="`, `"Zg="`, `"Zg"`, `"Zm9v\r\nYg==\n"`, `"Z*=="`, `"Zg==Zg=="`, `"=Zg="`, `"Z==="`, `1`},
	"float":       {`0`, `-0.0`, `1`, `1.5`, `1e20`, `1e21`, `123456789e15`, `1.25e-7`, `0.000001`, `0.0000001`, `1.7976931348623157e308`, `5e-324`, `100`, `1e400`, `"1"`},
	"string":      {`"a<b>&c"`, `"\u2028\u2029\u0001\u007f\b\f\n\r\t\"\\/"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `1`, `"é"`},
}

// documents are decoded strictly into the real types: kind, text.
var documents = [][2]string{
	{"Pod", `{"foo":1}`}, {"Pod", `{"metadata":{"Name":"n"}}`}, {"Pod", `{"spec":{"containers":[{"name":"a"},{"name":"b","foo":{"x":1,"x":2}}]}}`},
	{"Pod", `{"metadata":{"labels":{"a":"1","a":"2"}}}`}, {"Pod", `{"spec":{"nodeName":"a","nodeName":"b","x":0,"x":0}}`},
	{"Pod", `{"metadata":{"name":"a","name":null}}`}, {"Pod", `{"metadata":{"name":"a"},"metadata":{"namespace":"b"}}`},
	{"Pod", `{"spec":{}}`}, {"Pod", `{}`}, {"Pod", `null`}, {"Pod", `[]`}, {"Pod", `"x"`}, {"Pod", ``}, {"Pod", `{`}, {"Pod", `{"a"}`}, {"Pod", `{"spec":[1],}`},
	{"Pod", `{"spec":{"containers":{}}}`}, {"Pod", `{"spec":{"containers":[{"imagePullPolicy":1}]}}`}, {"Pod", `{"spec":{"hostNetwork":"yes"}}`},
	{"Pod", `{"spec":{"containers":[null,{"name":"x"}]}}`}, {"Pod", `{"spec":{"nodeSelector":{"a":null}}}`}, {"Pod", `{"spec":{"nodeSelector":[]}}`},
	{"Pod", `{"spec":{"overhead":{"cpu":"x"}}}`}, {"Pod", `{"spec":{"overhead":{"cpu":null,"memory":1.5}}}`}, {"Pod", `{"spec":{"overhead":7}}`},
	{"Pod", `{"spec":{"activeDeadlineSeconds":0,"priority":null,"terminationGracePeriodSeconds":1.0}}`}, {"Pod", `{"metadata":{"generation":9223372036854775808}}`},
	{"Pod", `{"spec":{"volumes":[{"name":"v","emptyDir":{}},{"name":"w","hostPath":{"path":"/x","type":""}}]}}`}, {"Pod", `{"status":{"phase":1}}`},
	{"Pod", `{"spec":{"containers":[{"livenessProbe":{"httpGet":{"port":"x"},"foo":1}}]}}`}, {"Pod", `{"metadata":{"creationTimestamp":"x"}}`},
	{"Pod", `{"metadata":{"creationTimestamp":1}}`}, {"Pod", `{"metadata":{"deletionTimestamp":null,"creationTimestamp":null}}`},
	{"Pod", `{"metadata":{"managedFields":[{"fieldsV1":{"f:a": {}, "b":[1.0]},"time":"2020-01-01T00:00:00Z"}]}}`}, {"Pod", `{"spec":{"tolerations":[{"operator":"a","operator":"b","operator":"c"}]}}`},
	{"Pod", `{"spec":{"hostAliases":[],"imagePullSecrets":null,"containers":[]}}`}, {"Pod", `{"spec":1,"status":2}`}, {"Pod", `{"metadata":"x"}`}, {"Pod", `{"metadata":{"labels":1}}`},
	{"Pod", `{"metadata":{"finalizers":"x"}}`}, {"Pod", `{"metadata":{"finalizers":[1]}}`}, {"Pod", `{"metadata":{"ownerReferences":[{"controller":"x"}]}}`},
	{"Pod", `{"metadata":{"uid":1}}`}, {"Pod", `{"kind":1}`}, {"Pod", `{"spec":{"containers":[{"ports":[{"containerPort":3000000000}]}]}}`},
	{"ConfigMap", `{"data":{"a":null,"b":"<"},"immutable":false}`}, {"ConfigMap", `{"data":{},"binaryData":{"a":"AAA="}}`}, {"ConfigMap", `{"data":{"a":"1"},"data":null}`},
	{"ConfigMap", `{"data":{"a":"1"},"data":{"b":"2"}}`}, {"ConfigMap", `{"data":{"a":1}}`}, {"ConfigMap", `{"binaryData":{"a":null,"b":""}}`}, {"ConfigMap", `{"binaryData":{"a":"*"}}`},
	{"ConfigMap", `{"data":{"b":"1","a":"2","a b":"3"}} x`}, {"ConfigMap", `{"immutable":null}`},
	{"Deployment", `{}`}, {"Deployment", `{"spec":{"replicas":"x"}}`}, {"Deployment", `{"spec":{"replicas":1.5}}`}, {"Deployment", `{"spec":{"replicas":1e2}}`},
	{"Deployment", `{"spec":{"strategy":{"rollingUpdate":{"maxSurge":"25%","maxUnavailable":0}}}}`}, {"Deployment", `{"spec":{"template":{"spec":{"foo":1},"bar":2}}}`},
	{"Deployment", `{"spec":{"selector":{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"k","operator":"In"}]}}}`},
	{"ControllerRevision", `{"data":{ "b" : 1.50, "a":["<"] },"revision":1}`}, {"ControllerRevision", `{"data":null}`}, {"ControllerRevision", `{"data":"x"}`},
	{"ControllerRevision", `{"data":{"a":1,"a":2}}`}, {"Service", `{"spec":{"ports":[{"port":80,"targetPort":"x"},{"targetPort":8080}]}}`}, {"Secret", `{"data":{"a":"Zg=="},"stringData":{"b":"c"}}`},
	{"Event", `{"eventTime":null,"series":{"lastObservedTime":null}}`}, {"Event", `{"eventTime":"2020-01-01T00:00:00.000001Z","firstTimestamp":"2020-01-01T00:00:00Z"}`},
}

var texts = []string{"a: yes", "a: 'yes'", "y: n", "a: 0777", "a: 0o17", "a: 0x1F", "a: -0b11", "a: 1_000", "a: 08", "a: 1e3", "a: .5", "a: 1.", "a: 1.2.3", "a: 2001-01-01",
	"a: -", "a: +1", "a: 0x", "a: 1:30", "a: ~", "a:", "a: Null", "1: a", "1.5: a", "true: a", "a: |\n  one\n  two", "a: >-\n  one\n  two\n", "a: {b: c, d: [1, 2]}",
	"base: &b {x: 1}\nother:\n  <<: *b\n  z: 3", "a: !!str 1", "a: !!int \"2\"", "a: \"\\u00e9\\n\"", "- 1\n- b", "a: &x [1]\nb: *x", "a: .inf", "? [a]\n: b", "a: b: c", "{", "a: 'it''s'",
	"a: 100m", "a: 1e400", "a: 0.1", "a: 1e21", "a: 123456789012345678", "a: oN", "a: OFF", "a: # c\n  b", "a: b # c", "\"a\": 1", "a: [\n1,\n]", "--- \na: 1\n---\nb: 2"}

func answer(prefix string, value any, err error) string {
	if err != nil {
		return prefix + "\t!" + quoted(err.Error())
	}
	text, err := json.Marshal(value)
	check(err)
	return prefix + "\t" + string(text)
}

func quoted(text string) string {
	out, err := json.Marshal(text)
	check(err)
	return string(out)
}

func writeAnswers() {
	time.Local = time.UTC
	var lines []string
	for _, name := range []string{"quantity", "time", "microTime", "duration", "intOrString", "bytes", "float", "string"} {
		for _, input := range leaves[name] {
			var value leaf
			err := kjson.UnmarshalCaseSensitivePreserveInts([]byte(fmt.Sprintf(`{%q:%s}`, name, input)), &value)
			lines = append(lines, answer(name+"\t"+quoted(input), value, err))
		}
	}
	check(os.WriteFile("../leaves.tsv", []byte(strings.Join(lines, "\n")+"\n"), 0o644))

	lines = nil
	for _, document := range documents {
		var object any
		switch document[0] {
		case "Pod":
			object = &corev1.Pod{}
		case "ConfigMap":
			object = &corev1.ConfigMap{}
		case "Service":
			object = &corev1.Service{}
		case "Secret":
			object = &corev1.Secret{}
		case "Event":
			object = &corev1.Event{}
		case "Deployment":
			object = &appsv1.Deployment{}
		case "ControllerRevision":
			object = &appsv1.ControllerRevision{}
		}
		strict, err := kjson.UnmarshalStrict([]byte(document[1]), object)
		line := answer(document[0]+"\t"+quoted(document[1]), object, err)
		if err == nil {
			for _, finding := range strict {
				line += "\t" + quoted(finding.Error())
			}
		}
		lines = append(lines, line)
	}
	check(os.WriteFile("../decoding.tsv", []byte(strings.Join(lines, "\n")+"\n"), 0o644))

	lines = nil
	for _, text := range texts {
		out, err := yaml.YAMLToJSON([]byte(text))
		lines = append(lines, answer(quoted(text), json.RawMessage(out), err))
	}
	check(os.WriteFile("../yaml.tsv", []byte(strings.Join(lines, "\n")+"\n"), 0o644))
}
